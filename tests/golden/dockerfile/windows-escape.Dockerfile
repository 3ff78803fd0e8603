# escape=`

FROM alpine
COPY testfile.txt c:\
RUN dir `
    c:\ && echo done
ENV DIR=c:\windows
