"""What every process needs: settings, clock, backoff, logging, AWS clients."""
