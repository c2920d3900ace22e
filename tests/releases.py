"""Small releases of MELEP's data sets, made by hand: headers without signals, and PTB-XL's two tables."""

import numpy as np
import pandas as pd

from ecgtl.datasets import cpsc2018, georgia, ptbxl

SB, NSR, RBBB, VEB, PVC = "426177001", "426783006", "59118001", "164884008", "427172004"
TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def write_record(folder, name, dx=None, seconds=10.0, rate=500, leads=TWELVE, suffix="mat"):
    """A header and an empty signal file: signals are not read."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} {len(leads)} {rate} {round(seconds * rate)}"]
    lines += [f"{name}.{suffix} 16 1000.0(0)/mV 16 0 0 0 0 {lead}" for lead in leads]
    lines += [] if dx is None else [f"# Dx: {dx}"]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.{suffix}").write_bytes(b"")
    return folder / f"{name}.hea"


def write_ptbxl(root, said):
    """PTB-XL's two tables and a header for each of ``said``, the statements of a recording as text."""
    base = root / ptbxl.FOLDER
    base.mkdir(parents=True)
    rows = [{"ecg_id": k, "patient_id": 1 + k // 3, "age": 60, "sex": 0, "scp_codes": text, "strat_fold": 1,
             "filename_lr": f"records100/00000/{k:05d}_lr", "filename_hr": f"records500/00000/{k:05d}_hr"}
            for k, text in enumerate(said, start=1)]
    pd.DataFrame(rows).to_csv(base / ptbxl.TABLE, index=False)
    listed = {"NORM": (1, "NORM"), "IMI": (1, "MI"), "AMI": (1, "MI"), "LVH": (1, "HYP"), "SR": (None, None)}
    pd.DataFrame(listed.values(), index=list(listed), columns=["diagnostic", "diagnostic_class"]).assign(
        rhythm=np.nan).to_csv(base / ptbxl.STATEMENTS)
    for k in range(1, len(said) + 1):
        write_record(base / "records500" / "00000", f"{k:05d}_hr", suffix="dat")


def write_releases(root):
    """Three of the data sets below ``root``; there is no CSN."""
    for name, dx, seconds in (("A0001", RBBB, 10), ("A0002", f"{RBBB},{VEB}", 72.5), ("A0003", PVC, 8)):
        write_record(root / cpsc2018.FOLDER / "g1", name, dx, seconds, leads=("I",))
    write_record(root / georgia.FOLDER / "g1", "E00001", f"{SB},{NSR}")
    write_ptbxl(root, ["{'NORM': 100.0, 'SR': 0.0}", "{'IMI': 0.0, 'AMI': 50.0}",
                       "{'LVH': 80.0, 'IMI': 15.0}", "{'SR': 0.0}"])
    return root
