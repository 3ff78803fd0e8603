ARG REGISTRY=registry.example.com:5000/library
ARG TAG
FROM ${REGISTRY}/base:${TAG:-latest}
ARG TAG
ENV A=${TAG:-none} B=${TAG:+some} C=${UNSET-default} D=pre${A}post E='$A literal' F="two words" G=esc\ aped H=\$A
ENV PATH=/opt/bin:$PATH
ENV LEGACY this is one value with "quotes"
LABEL version="1.0" multi="line \
one" key.with-dash=x
WORKDIR ${A}/sub
USER ${UID:-1000}:${GID:-1000}
COPY --exclude=*.md --exclude=docs --parents ./src/./lib ./x/ /dst/
