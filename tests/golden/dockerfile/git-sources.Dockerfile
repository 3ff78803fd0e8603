# syntax=docker/dockerfile:1
FROM alpine
ADD --keep-git-dir=true https://example.com/project.git#v1.2:sub /src
ADD git@example.com:team/private.git /private
ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.com/a.tar.gz /
ADD --unpack=true https://example.com/b.tar.gz /opt/
COPY --exclude=*.md --exclude=**/test --parents ./a/*/c /x/
