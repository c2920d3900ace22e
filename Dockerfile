# ecgtl on a CPU, as requirements.lock has it:
#   docker build -t ecgtl --build-arg TORCH_INDEX=<address> --build-arg COMMIT="$(git rev-parse HEAD)" .
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" ecgtl predict my-records --lead II
# TORCH_INDEX: a pip index with PyTorch's CPU build (README.md); without it pip's own serves CUDA, about 3 GB.
FROM python:3.11-slim
ARG TORCH_INDEX=""
WORKDIR /opt/ecgtl
COPY requirements.lock ./
RUN if [ -n "$TORCH_INDEX" ]; then python -m pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" \
    "$(grep '^torch==' requirements.lock)"; fi
RUN python -m pip install --no-cache-dir -r requirements.lock
COPY . ./
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation --no-index . && python -m pip check
ARG COMMIT=""
ENV ECGTL_COMMIT=$COMMIT ECGTL_CACHE=/tmp/ecgtl
RUN useradd --create-home --uid 1000 ecgtl && mkdir /work && chown ecgtl /work
USER ecgtl
WORKDIR /work
ENTRYPOINT ["ecgtl"]
