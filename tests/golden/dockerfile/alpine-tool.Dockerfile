FROM alpine:3.20
RUN apk add --no-cache \
        bash \
        ca-certificates \
        tini \
 && adduser -D -u 1000 tool
USER tool
ENTRYPOINT ["/sbin/tini", "--"]
CMD ["bash"]
