#!/bin/bash
# Runs a command of the producers' image on this host's own folders: `producers [--name NAME] COMMAND ...`.
set -euo pipefail
. /etc/storepulse/host.env
name=()
if [ "$1" = --name ]; then name=(--name "$2"); shift 2; fi
# As the folders' owner, with the group that may read nginx's logs; the host's network has the instance's role.
exec docker run --rm --network host --user 10001:10001 --group-add "$(getent group nginx | cut -d: -f3)" \
  --env-file /etc/storepulse/producers.env --log-driver journald --hostname "$(hostname)" \
  --volume /var/spool/storepulse:/var/spool/storepulse --volume /var/lib/storepulse:/var/lib/storepulse \
  --volume /var/log/storepulse:/var/log/storepulse --volume /var/log/nginx:/var/log/nginx:ro \
  "${name[@]}" "$IMAGE" "$@"
