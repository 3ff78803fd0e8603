ARG REGISTRY=registry.example.com:5000/mirror
ARG TAG
FROM ${REGISTRY}/busybox:${TAG:-latest} AS base
FROM ${REGISTRY}/alpine@sha256:77726ef6b57ddf65bb551896826ec38bc3e53f75cdde31354fbffb4f25238ebd
COPY --from=base /bin/busybox /bin/bb
COPY --from=registry.example.com:5000/tools:1 /usr/bin/tool /usr/bin/
COPY --from=0 /etc/passwd /etc/passwd.base
