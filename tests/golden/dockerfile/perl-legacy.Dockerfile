FROM perl:5.38
MAINTAINER Old Hand old@example.com
ENV APP_HOME /app
ADD . $APP_HOME
WORKDIR app
RUN cpanm --installdeps .
EXPOSE 8080:80
CMD perl app.pl
CMD ['perl', 'app.pl']
