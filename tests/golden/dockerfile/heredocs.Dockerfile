ARG VERSION=1.27
FROM --platform=$BUILDPLATFORM golang:${VERSION} AS tools
RUN <<EOF
set -e
echo "$VERSION"
EOF
RUN <<-"EOT" python3 -
	print("a tab was here")
	EOT
COPY <<one <<'two' /etc/
hello $USER
one
literal $USER
two
ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d --chmod=644 https://example.com/x /x
ADD --keep-git-dir=true https://github.com/a/b.git#v1:sub /src
COPY --link --parents --exclude=*.md --exclude=docs ./a/b ./c /out/
RUN --mount=type=secret,id=token,required=true,env=TOKEN --mount=type=bind,from=tools,src=/x,dst=/y,rw --network=none --security=sandbox true
FROM scratch AS scratch
FROM tools as Tools
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
HEALTHCHECK NONE
