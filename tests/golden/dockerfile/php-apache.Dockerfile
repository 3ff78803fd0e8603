FROM composer:2 AS vendor
WORKDIR /app
COPY composer.json composer.lock ./
RUN --mount=type=cache,target=/tmp/cache \
    composer install --no-dev --no-scripts --prefer-dist

FROM php:8.3-apache
RUN docker-php-ext-install pdo_mysql opcache \
 && a2enmod rewrite
RUN { \
		echo 'opcache.memory_consumption=128'; \
		echo 'opcache.validate_timestamps=0'; \
	} > /usr/local/etc/php/conf.d/opcache.ini
COPY --from=vendor /app/vendor /var/www/html/vendor
COPY --chown=www-data:www-data . /var/www/html
VOLUME ["/var/www/html/storage", "/var/www/html/uploads"]
