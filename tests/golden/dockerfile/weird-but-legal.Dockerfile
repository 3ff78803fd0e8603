from busybox as A
  env   X=1    Y="2 3"
run\
 echo \
 \
 # not a comment of the shell
 done
Copy --chown=$X:${Y:-0}   ["a file", "b\u0020c", "/dest dir/"]
onbuild   ARG   Z="quoted # no comment"
OnBuild HealthCheck --retries=3 CMD ["true"]
expose 80-82/tcp $X ${Y}
workdir /a//b/../c
cmd
