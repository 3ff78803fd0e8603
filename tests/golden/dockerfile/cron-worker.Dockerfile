FROM debian:stable-slim
ENV DEBIAN_FRONTEND=noninteractive \
    TZ="Europe/Berlin"
RUN apt-get update -qq \
    # cron needs a mailer, or complains
    && apt-get install -y cron msmtp-mta \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=0644 crontab /etc/cron.d/worker
VOLUME /var/spool/cron
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1m --timeout=3s --start-period=10s --start-interval=1s CMD pgrep cron || exit 1
CMD cron -f
