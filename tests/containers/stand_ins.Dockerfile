# Stand-ins of postgres:16 and fsouza/fake-gcs-server, for tests where no image can be pulled: make_stand_ins.sh
# builds them. The same variables, user, folders and commands as the published images.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS postgres
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends postgresql >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/* \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data /var/run/postgresql \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/
ENV PGDATA=/var/lib/postgresql/data
COPY start_postgres.sh /usr/local/bin/
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["start_postgres.sh"]

FROM ${BASE_IMAGE} AS storage
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends busybox >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s busybox /bin/wget
COPY fake-gcs-server /bin/fake-gcs-server
EXPOSE 4443
ENTRYPOINT ["/bin/fake-gcs-server", "-data", "/data"]
