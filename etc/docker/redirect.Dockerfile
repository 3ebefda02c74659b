# The init container: rules that lead a pod's traffic into the sidecar (docs/transparent.md). It needs NET_ADMIN, and
# root inside; it ends at once.
#
#   docker build -f etc/docker/redirect.Dockerfile -t eve-redirect .

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends iptables \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=0755 etc/redirect-iptables.sh /usr/local/bin/redirect-iptables.sh
ENTRYPOINT ["redirect-iptables.sh"]
CMD ["apply"]
