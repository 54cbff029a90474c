# Live as a Lambda function (docs/lambda.md): an image, for PyArrow is larger than a zip may be.
#
#   docker build --file containers/function.Dockerfile --tag storepulse-function .
#
# 3.12 is the first of these images with a glibc (2.34) for which NumPy and PyArrow have wheels.
FROM public.ecr.aws/lambda/python:3.12 AS libraries
COPY requirements/uv.txt requirements/function.txt /build/
RUN python -m pip install --no-cache-dir --require-hashes --requirement /build/uv.txt \
    && uv pip install --no-cache --require-hashes --compile-bytecode --target /build/libraries \
    --requirements /build/function.txt

# The service runs it as a user without rights, by a process of its own, and has no use for a health check.
FROM public.ecr.aws/lambda/python:3.12
COPY --from=libraries /build/libraries ${LAMBDA_TASK_ROOT}
COPY contract ${LAMBDA_TASK_ROOT}/contract
COPY runtime ${LAMBDA_TASK_ROOT}/runtime
COPY consumers ${LAMBDA_TASK_ROOT}/consumers
ENV PYTHONDONTWRITEBYTECODE=1
CMD ["consumers.lambda_process.handler"]
