# docker build -t lightning-tf .                                  # for a CPU
# docker build --build-arg ACCELERATOR=cuda -t lightning-tf .     # with NVIDIA's libraries, some 4 GB more
# docker run --gpus all lightning-tf                              # what lightning-tf doctor tells
#
# Not built by any test. A GPU's driver is the host's (nvidia-container-toolkit); CUDA's libraries come
# from pip, beside TensorFlow, so no image of NVIDIA's is needed.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

ARG ACCELERATOR=cpu
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONUNBUFFERED=1

WORKDIR /app
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY lightning_tf lightning_tf
COPY tasks tasks
COPY callbacks callbacks
RUN case "$ACCELERATOR" in \
      cpu) extras=serve ;; \
      cuda) extras=serve,cuda ;; \
      *) echo "ACCELERATOR=$ACCELERATOR: give cpu or cuda" >&2; exit 1 ;; \
    esac \
    && pip install --no-cache-dir -c constraints.txt ".[$extras]"
COPY scripts scripts
COPY benchmarks benchmarks

# Runs are written to the working directory, caches (Keras, data sets, compiled PTX) to the home folder:
# mount volumes there to keep them.
RUN useradd --create-home --uid 1000 trainer && chown trainer /app
USER trainer
CMD ["lightning-tf", "doctor"]
