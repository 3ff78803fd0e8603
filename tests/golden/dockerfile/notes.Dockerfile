# The instructions of a first chapter, slips included.
FROM ubuntu:22.04
MAINTAINER someone <some@one>
LABEL purpose="practice"
RUN ['sh', '-c', 'echo $MT_ENV']
RUN ["sh", "-c", "echo $MT_ENV"]
ADD test.tar.gz /home/
WORKDIR home
WORKDIR rel
EXPOSE 80:8080
ENV test /home
ARG my_password
VOLUME /vol1 /vol2
USER user:group
ONBUILD RUN echo "later"
COPY ../secret /x
CMD ["a", b]
CMD /bin/bash
