FROM nginx:1.27-alpine
ADD https://example.com/errors.tar.gz /usr/share/nginx/errors/
ADD --checksum=sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb https://example.com/a.js /srv/
COPY nginx.conf /etc/nginx/nginx.conf
COPY ["static files/", "/usr/share/nginx/html/static files/"]
COPY --chmod=0755 --link docker-entrypoint.d/*.sh /docker-entrypoint.d/
RUN ln -sf /dev/stdout /var/log/nginx/access.log \
 && ln -sf /dev/stderr /var/log/nginx/error.log
EXPOSE 80 443/tcp 443/udp 9000-9002
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
