# The operator's image: a virtual environment on Python's slim image. hack/image builds it, as does any `docker build .`
#
# The base is named once, by its full tag and as a plain FROM: dependabot moves such a line, and passes over an ARG.
# No digest stands here, so that a stand-in can take its place where no registry is reached; the provenance that a
# release carries tells the digest that was used.
FROM python:3.11.14-slim-bookworm AS base

# A stage of its own: what else changes in pyproject.toml leaves the layer of the dependencies as it was.
FROM base AS dependencies
COPY pyproject.toml /
RUN python -c 'import tomllib; print(*tomllib.load(open("/pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > /dependencies.txt

FROM base AS builder
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY hack/image/requirements.txt tools.txt
RUN python -m venv /opt/tools && /opt/tools/bin/pip install -q -r tools.txt
# Nothing reads the tests of the packages, nor Kubernetes' generated API classes (50 MB): our requests go by path.
# Byte code is made here, for a start in less than half the time, but for the 1,700 models of Kubernetes (28 MB of it).
COPY constraints.txt ./
COPY --from=dependencies /dependencies.txt ./
RUN python -m venv --without-pip /opt/drover \
    && /opt/tools/bin/pip --python /opt/drover/bin/python install -q --no-compile -c constraints.txt -r dependencies.txt \
    && cd /opt/drover/lib/python3*/site-packages \
    && find . -type d -name tests -prune -exec rm -r {} + \
    && rm -r kubernetes/client/api kubernetes/aio/client/api \
    && /opt/drover/bin/python -m compileall -q --invalidation-mode unchecked-hash -x 'client/models/v' .
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/tools/bin/pip wheel -q --no-deps --no-build-isolation -w /tmp/wheel . \
    && /opt/tools/bin/pip --python /opt/drover/bin/python install -q --no-compile --no-deps /tmp/wheel/*.whl \
    && /opt/drover/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        /opt/drover/lib/python3*/site-packages/drover \
    && /opt/tools/bin/cyclonedx-py environment --output-reproducible --output-file /tmp/sbom.cdx.json /opt/drover/bin/python

FROM base
RUN groupadd --gid 65532 drover \
    && useradd --uid 65532 --gid drover --home-dir /nonexistent --no-create-home --no-log-init \
        --shell /usr/sbin/nologin drover
COPY --from=builder /opt/drover /opt/drover
# What is in /opt/drover, as a CycloneDX bill of materials.
COPY --from=builder /tmp/sbom.cdx.json /usr/share/sbom/drover.cdx.json
ENV PATH=/opt/drover/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
# A release gives the last two: the commit, which drover_build_info tells as well, and where its repository is.
ARG VERSION=unreleased
ARG REVISION=
ARG SOURCE=
ENV DROVER_REVISION=$REVISION
LABEL org.opencontainers.image.title="drover" \
      org.opencontainers.image.description="A Kubernetes operator that runs an IaaS cloud's virtual machines over a modelled node pool" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE"
ENTRYPOINT ["drover"]
CMD ["run"]
