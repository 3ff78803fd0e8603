FROM alpine AS lint
RUN lint .
FROM alpine AS docs
COPY --from=lint /report /report
RUN make docs
FROM alpine AS app
RUN make app
FROM app AS test
RUN make test
FROM scratch AS artifacts
COPY --from=docs /html /html
COPY --from=app /app /app
FROM app
LABEL "com.example.vendor"="ACME Incorporated" com.example.label-with-value="foo" \
      version='1.0' description="Text that \
spans lines"
