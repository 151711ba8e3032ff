"""What `helm test` runs: each page is there, and within a minute somebody leads and tells of the data centre."""

import sys
import time
import urllib.error
import urllib.request

PAGES = {"/readyz": "role", "/metrics": "drover_leader", "/metrics/state": "drover_vms"}


def page(url: str) -> str:
    """Its body; empty where it is not there, or a standby answered."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError as error:
        print(f"{url}: {error}", flush=True)
        return ""


def main(address: str) -> int:
    host, _, port = address.removeprefix("http://").rpartition(":")
    if ":" in host:
        address = f"http://[{host}]:{port}"  # IPv6, as the environment of a pod has it
    deadline = time.monotonic() + 60
    for path, word in PAGES.items():
        while word not in page(address + path):
            if time.monotonic() > deadline:
                print(f"{address}{path} does not tell of {word}: see the operator's log")
                return 1
            time.sleep(1)
        print(f"{address}{path}: well", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
