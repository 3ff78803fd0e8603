# escape=`
FROM mcr.microsoft.com/windows/nanoserver
COPY testfile.txt c:\
RUN dir c:\ `
    && dir `
# between
    c:\windows
ENV WHERE="c:\x" WHAT=a` b
