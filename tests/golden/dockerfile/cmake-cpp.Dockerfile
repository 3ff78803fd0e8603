# syntax=docker/dockerfile:1
ARG DEBIAN=bookworm
FROM debian:${DEBIAN}-slim AS toolchain
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends cmake g++ ninja-build

FROM toolchain AS build
WORKDIR /src
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/build <<EOT
set -e
cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release
cmake --build /build
cmake --install /build --prefix /out
EOT

FROM debian:${DEBIAN}-slim
COPY --from=build --link /out /usr/local
CMD ["server"]
