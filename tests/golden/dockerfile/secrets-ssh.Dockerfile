FROM alpine:3.20 AS fetch
RUN apk add --no-cache git openssh-client
RUN --mount=type=ssh,id=default,required mkdir -p -m 0700 ~/.ssh && ssh-keyscan example.com >> ~/.ssh/known_hosts \
    && git clone git@example.com:org/private.git /src
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc,mode=0400,uid=0 \
    --mount=type=cache,id=npm,target=/root/.npm,sharing=locked \
    --mount=type=tmpfs,target=/tmp \
    --network=default npm ci
RUN --network=none --security=sandbox ./test.sh
RUN ["/bin/echo", "exec", "form", "with \"quotes\""]
