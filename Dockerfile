# Built in one stage, run in another that holds the binary, its runbooks and certificates.
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Dependencies first, against an empty crate, so that a change of the source does not build them again. The
# whole manifest stays: another profile or feature would build them twice.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir -p src benches && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
 && sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | tail -n +3 | while read -r bench; do touch "benches/$bench.rs"; done \
 && cargo build --release --locked --bin faultline
COPY . .
RUN touch src/main.rs src/lib.rs && cargo build --release --locked --bin faultline

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/faultline --create-home faultline
COPY --from=build /src/target/release/faultline /usr/local/bin/faultline
COPY --chown=root:root runbooks /usr/share/faultline/runbooks
USER faultline
WORKDIR /var/lib/faultline
ENV FAULTLINE_LISTEN=0.0.0.0:8080 \
    FAULTLINE_DATABASE_URL=sqlite:/var/lib/faultline/faultline.db \
    FAULTLINE_RUNBOOKS=/usr/share/faultline/runbooks
VOLUME /var/lib/faultline
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD curl -fsS http://127.0.0.1:8080/readyz || exit 1
ENTRYPOINT ["faultline"]
CMD ["serve"]
