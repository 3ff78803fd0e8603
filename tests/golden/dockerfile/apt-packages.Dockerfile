FROM debian:bookworm-slim
LABEL maintainer="Ops Team <ops@example.com>" \
      org.opencontainers.image.title="tools" \
      org.opencontainers.image.description="Tools that we \"need\" everywhere"

# explicitly set user/group IDs
RUN set -eux; \
	groupadd --gid 999 svc; \
# a comment between continued lines
	useradd --uid 999 --gid svc --home-dir /var/lib/svc svc; \

	install -d -o svc -g svc /var/lib/svc

ENV GOSU_VERSION 1.17
RUN set -eux; \
	savedAptMark="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends ca-certificates gnupg wget; \
	rm -rf /var/lib/apt/lists/*; \
	dpkgArch="$(dpkg --print-architecture | awk -F- '{ print $NF }')"; \
	wget -O /usr/local/bin/gosu "https://example.com/gosu-$dpkgArch"; \
	apt-mark auto '.*' > /dev/null; \
	[ -z "$savedAptMark" ] || apt-mark manual $savedAptMark > /dev/null; \
	chmod +x /usr/local/bin/gosu

VOLUME /var/lib/svc
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["svc", "--config", "/etc/svc.conf"]
