"""Two "hosts", which are network namespaces with a cable between them, train one model.

    sudo python tests/bench/two_hosts.py

Needs Linux, root and iproute2. The same training is done by one process; how far apart the weights
end is printed. Drawn numbers within the model are each process's own, so there are none here.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "samples"))

from safetensors.torch import load_file
from vision_samples import TINY_OPTIONS, write_pictures

NAMES, PORT = ("dlcc-a", "dlcc-b"), 29400
ADDRESSES = ("10.99.0.1", "10.99.0.2")


def call(line: str) -> None:
    subprocess.run(line.split(), check=True)


def cable() -> None:
    """Two namespaces, and a pair of interfaces between them."""
    for name in NAMES:
        call(f"ip netns add {name}")
    call(f"ip link add cable netns {NAMES[0]} type veth peer name cable netns {NAMES[1]}")
    for name, address in zip(NAMES, ADDRESSES, strict=True):
        call(f"ip -n {name} address add {address}/24 dev cable")
        call(f"ip -n {name} link set cable up")
        call(f"ip -n {name} link set lo up")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=1, help="on each host")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ |= {"DLCC_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
        os.environ["GLOO_SOCKET_IFNAME"] = "cable"
        pictures = write_pictures(folder / "pictures", 16)
        options = ["vit", "train", "--data", pictures, "--preset", "plain", *TINY_OPTIONS]
        options = [str(each) for each in (*options, "--epochs", 10, "--run")]
        alone = [sys.executable, "-m", "dlcc.cli", *options, str(folder / "alone")]
        subprocess.run(alone, check=True, stderr=subprocess.DEVNULL)
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
        torchrun += ["--nproc-per-node", f"{given.processes}", "--rdzv-backend", "c10d"]
        torchrun += ["--rdzv-endpoint", f"{ADDRESSES[0]}:{PORT}", "--rdzv-id", "dlcc"]
        torchrun += ["--rdzv-conf", "is_host={}", "--local-addr"]
        command = ["-m", "--", "dlcc.cli", *options, str(folder / "together")]
        try:
            cable()
            hosts = []
            for name, address in zip(NAMES, ADDRESSES, strict=True):
                start = " ".join(["ip netns exec", name, *torchrun, address, *command])
                start = start.format(int(name == NAMES[0]))  # who holds the meeting place
                hosts.append(subprocess.Popen(start.split()))
            codes = [host.wait(timeout=300) for host in hosts]
        finally:
            for name in NAMES:
                subprocess.run(["ip", "netns", "delete", name], check=False)
        if any(codes):
            sys.exit(f"exit codes {codes}")
        runs = (folder / name / "last/model.safetensors" for name in ("alone", "together"))
        here, there = map(load_file, runs)
        apart = max(float((here[name] - there[name]).abs().max()) for name in here)
        print(
            f"two hosts of {given.processes}: the weights end within {apart:.1e} of one process's"
        )


if __name__ == "__main__":
    main()
