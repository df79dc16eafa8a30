# firstlight on an official PyTorch image: docs/guides/containers.md has the commands.
# Another torch: docker build --build-arg PYTORCH=<tag of pytorch/pytorch> .
ARG PYTORCH=2.11.0-cuda12.8-cudnn9-runtime

FROM pytorch/pytorch:${PYTORCH} AS build
ENV PIP_BREAK_SYSTEM_PACKAGES=1
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY configs configs
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM pytorch/pytorch:${PYTORCH}
ARG EXTRAS=pretrained,timm,export
# The image has Python of the system or of conda; in both, pip keeps the torch that is there, because it satisfies our bound.
ENV PIP_BREAK_SYSTEM_PACKAGES=1
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/*.whl)[${EXTRAS}]" && pip check

# Any user may run the image, as with --user "$(id -u):$(id -g)". USER is what torch asks where the user has no name.
RUN useradd --uid 10001 --create-home --home-dir /home/firstlight firstlight \
    && mkdir --parents /data /work && chmod 1777 /home/firstlight /data /work
ENV HOME=/home/firstlight USER=firstlight FIRSTLIGHT_DATA=/data PYTHONUNBUFFERED=1
WORKDIR /work
USER 10001
VOLUME ["/data", "/work"]
ENTRYPOINT ["firstlight"]
CMD ["--help"]
