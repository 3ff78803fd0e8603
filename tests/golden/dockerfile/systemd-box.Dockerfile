FROM fedora:40
ENV container docker
RUN dnf -y install systemd httpd && dnf clean all && \
    systemctl enable httpd && \
    (cd /lib/systemd/system/sysinit.target.wants/; for i in *; do [ $i == systemd-tmpfiles-setup.service ] || rm -f $i; done)
VOLUME [ "/sys/fs/cgroup" ]
STOPSIGNAL SIGRTMIN+3
EXPOSE 80/tcp 443/TCP
CMD [ "/usr/sbin/init" ]
