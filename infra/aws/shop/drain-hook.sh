#!/bin/bash
# Waits until the auto scaling group wants this host gone; then empties its disk and lets it go. One host, one run.
set -euo pipefail

metadata() {
  local token
  token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
  curl -sf -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}

lifecycle() {
  aws autoscaling "$1" --region "$REGION" --auto-scaling-group-name "$GROUP" --lifecycle-hook-name "$HOOK" \
    --instance-id "$(metadata instance-id)" "${@:2}"
}

until [ "$(metadata autoscaling/target-lifecycle-state || true)" = Terminated ]; do sleep 5; done

# Nobody writes any more: nginx answers what it has begun, and the shop ends with it.
systemctl stop nginx storepulse-storefront
# 0 once every complete line is acknowledged. While the stream is away the host stays, and keeps its place by a heartbeat:
# for 48 hours at most, AWS's own limit.
until /opt/storepulse/producers drain --timeout 100; do
  lifecycle record-lifecycle-action-heartbeat || true
  sleep 5
done
systemctl stop storepulse-agent
lifecycle complete-lifecycle-action --lifecycle-action-result CONTINUE
