# skbtrail, and what it needs to run; `./dev image` builds it. Nothing in here depends on the kind of CPU.
ARG BASE=debian:bookworm-slim

# All but the program, which changes most often. tests/e2e puts one in that is built already.
FROM ${BASE} AS runtime
ENV DEBIAN_FRONTEND=noninteractive
# The shared libraries as packages, so that scanners know them; iproute2 and the like are not needed. gRPC, Protobuf,
# Abseil and c-ares are part of the program.
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends ca-certificates libbpf1 libcpp-httplib0.11 libmnl0 libpcap0.8 \
       libprometheus-cpp-core1.0 libre2-9 libssl3 libyaml-cpp0.7 zlib1g \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/* /usr/share/doc /usr/share/man \
       /usr/share/locale
COPY LICENSE /usr/share/licenses/skbtrail/LICENSE
COPY LICENSES /usr/share/licenses/skbtrail/LICENSES
# Root, with the capabilities that the pod is given; docs/security.md says which.
ENTRYPOINT ["/usr/bin/skbtrail"]
CMD ["agent"]

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /src
# The list of packages is that of ./dev, which changes less often than the sources.
COPY dev ./
RUN apt-get update -qq \
    && sed -n "s/^build \([^ ]*\).*/\1/p" dev | grep -v ccache | xargs apt-get install -qq -y --no-install-recommends
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY bpf bpf
COPY agent agent
ARG COMMIT=
# How many compilers at a time; empty: as many as there are CPUs.
ARG JOBS=
RUN cmake --preset release -DSKBTRAIL_TESTS=OFF -DSKBTRAIL_COMMIT="${COMMIT}" \
    && cmake --build --preset release --target skbtrail -j ${JOBS} \
    && strip -o /skbtrail build/release/agent/skbtrail

FROM runtime
COPY --from=build /skbtrail /usr/bin/skbtrail
# Ends the build here if a library is missing.
RUN skbtrail --version
ARG COMMIT=
LABEL org.opencontainers.image.title="skbtrail" \
      org.opencontainers.image.description="Traces packets through the kernel of a Kubernetes node" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${COMMIT}"
