# syntax=docker/dockerfile:1.7
FROM node:22-alpine
WORKDIR /app
COPY package*.json .
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc,required=true \
    --mount=type=secret,id=token,env=NPM_TOKEN \
    --mount=type=cache,id=npm,target=/root/.npm,uid=0,gid=0,mode=0700 \
    npm ci
RUN --network=none --mount=type=ssh npm run build
ARG NPM_TOKEN
