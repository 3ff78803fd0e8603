ARG CUDA=12.4.1
FROM nvidia/cuda:${CUDA}-runtime-ubuntu22.04
LABEL maintainer="Somebody <who@example.com>" \
      org.opencontainers.image.title="notebook"
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG NB_USER="jovyan"
ARG NB_UID="1000"
ENV HOME="/home/${NB_USER}" NB_UID=${NB_UID}
RUN curl -fsSL https://example.com/install.sh | bash -s -- -b -p /opt/conda
ENV PATH=/opt/conda/bin:$PATH \
    LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64"
WORKDIR $HOME
EXPOSE 8888
CMD ["start-notebook.py"]
