ARG VARIANT=full
FROM --platform=$BUILDPLATFORM golang:1.22 AS compile
ARG TARGETOS TARGETARCH TARGETVARIANT
WORKDIR /src
RUN --mount=target=. --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} go build -o /out/app ./cmd/app

FROM scratch AS slim
COPY --from=compile /out/app /app

FROM alpine AS full
COPY --from=slim / /
RUN apk add curl

FROM ${VARIANT} AS final
ENTRYPOINT ["/app"]
