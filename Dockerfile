# A static binary and the CA certificates, nothing else: no shell, no package manager, no root user.
#
#   docker build --build-arg VERSION=v1.0.0 --build-arg REVISION=$(git rev-parse HEAD) -t jobgate .
#   docker run --read-only -v ./jobgate.yaml:/etc/jobgate/jobgate.yaml:ro -p 8080:8080 jobgate
#   docker run --tmpfs /tmp --network host jobgate demo
#   docker exec NAME /jobgate store backup - > jobgate.db
#
# For more, see cmd/jobgate/INSTALL.md. Without Docker, `.ci/run image` does these steps by hand.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /image/jobgate ./cmd/jobgate \
 && mkdir -p /image/etc/ssl/certs /image/etc/jobgate /image/var/lib/jobgate /image/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && chmod 1777 /image/tmp

FROM scratch
ARG VERSION=devel REVISION=unknown
LABEL org.opencontainers.image.title="jobgate" \
      org.opencontainers.image.description="IoT job documents with presigned URLs, for device fleets" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /image/var/lib/jobgate /var/lib/jobgate
USER 65532:65532
# A relative jobs.store is in this folder; nothing else is written.
WORKDIR /var/lib/jobgate
ENV JOBGATE_CONFIG=/etc/jobgate/jobgate.yaml
EXPOSE 8080 8082 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/jobgate", "health"]
ENTRYPOINT ["/jobgate"]
CMD ["serve"]
