# syntax=docker/dockerfile:1
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-cache-dir -r requirements.txt
COPY --chown=1000:1000 . .

FROM python:3.12-slim
LABEL org.opencontainers.image.title="a web app" maintainer=me
ENV PATH=/app/bin:$PATH \
    PYTHONUNBUFFERED=1
COPY --from=build /app /app
EXPOSE 8000/tcp 8001-8003
USER 1000
VOLUME ["/data"]
HEALTHCHECK --interval=30s --timeout=3s CMD curl -f http://localhost:8000/ || exit 1
STOPSIGNAL SIGINT
ENTRYPOINT ["python", "-m"]
CMD ["app"]
