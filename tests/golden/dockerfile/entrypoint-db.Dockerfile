FROM debian:bookworm-slim

# explicitly set user/group IDs
RUN set -eux; \
	groupadd -r store --gid=999; \
	useradd -r -g store --uid=999 --home-dir=/var/lib/store --shell=/bin/bash store; \
	install --verbose --directory --owner store --group store --mode 1777 /var/lib/store

ENV STORE_MAJOR 16
ENV STORE_VERSION 16.3-1.pgdg120+1
ENV PATH $PATH:/usr/lib/store/$STORE_MAJOR/bin
ENV STORE_DATA /var/lib/store/data

RUN mkdir /docker-entrypoint-init.d
VOLUME /var/lib/store/data

COPY docker-entrypoint.sh docker-ensure.sh /usr/local/bin/
RUN ln -sT docker-ensure.sh /usr/local/bin/docker-enforce.sh
ENTRYPOINT ["docker-entrypoint.sh"]

STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["store"]
