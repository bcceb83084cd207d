"""Size and times of a page of explore-fusion, in headless Chromium.

Its images are generated scenes of 640x480 with coarse noise for photos, or those of a cache. Measured are: making the
page; until the first image is there, and until all are; and after a slider moved, until the image and its tables are
drawn, and until PQ of all images is, with the wait for the browser's next frame. Each time the slider is elsewhere, so
that nothing is known already. Counts under random settings of several rules are compared with those of the sweep's own
arithmetic in Python.
"""

import argparse
import dataclasses
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np
from PIL import Image
from tabulate import tabulate

from benchmarks.sweep import store_predictions
from panoptic_heuristic.ablation.explorer.image import PictureSettings
from panoptic_heuristic.ablation.explorer.make import ExplorerSettings, make_explorer
from panoptic_heuristic.ablation.explorer.rules import Abilities
from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.cli.arguments import add_seed_argument, whole_number
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import ClassAware, Greedy, Nms, PerPixel, Pipeline, Reclaim
from panoptic_heuristic.testing.scenes import make_scene, write_ground_truth

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

# Moves the first slider to some places; of each the milliseconds until the image is drawn, and until all is.
_SLIDE = """async (places) => {
  const root = document.documentElement;
  const slider = document.getElementById("slider-1");
  const shown = (what) => new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (root.dataset.shown !== what) return;
      observer.disconnect();
      resolve(performance.now());
    });
    observer.observe(root, { attributes: true });
  });
  const times = [];
  for (const place of places) {
    const start = performance.now();
    const both = [shown("image"), shown("all")];
    slider.value = place;
    slider.dispatchEvent(new Event("input"));
    times.push((await Promise.all(both)).map((end) => end - start));
  }
  return times;
}"""

# Of each setting the counts of all images.
_COUNT = """async (settings) => {
  const { readPage, imageReaders } = await import("explorer/page.js");
  const { makeEngine } = await import("explorer/engine.js");
  const page = readPage();
  const engine = makeEngine(page, imageReaders(page));
  for (let number = 0; number < engine.size; number += 1) await engine.load(number);
  const idOf = (place) => page.categories[place].id;
  return settings.map((one) => {
    const { total } = engine.countAll(one);
    return [...total].map(([place, { iouSum, tp, fp, fn }]) => [idOf(place), `${iouSum}`, tp, fp, fn]);
  });
}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of this benchmark."""
    parser.add_argument("--images", type=whole_number(1), default=24, help="of the page (default: %(default)s)")
    parser.add_argument("--settings", type=whole_number(1), default=40, help="timed, and compared (default: 40)")
    parser.add_argument("--detections", type=whole_number(1), default=100, help="per generated image (default: 100)")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="of cache-predictions (default: generated scenes)")
    parser.add_argument("--gt-json", type=Path, help="its ground truth (default: the one it was made with)")
    parser.add_argument("--gt-folder", type=Path, help="the folder of its PNGs")
    parser.add_argument("--image-root", type=Path, metavar="DIR", help="its images")
    add_seed_argument(parser, "the settings")


def run(args: argparse.Namespace) -> int:
    """Prints sizes and times; 1 if counts differ."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise InputError(f"none of {', '.join(_PROGRAMS)} is installed; apt-get install chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, image_root = _given(args) if args.cache is not None else _generated(args, folder)
        started = time.perf_counter()
        settings = ExplorerSettings("benchmark", images=args.images, pictures=PictureSettings(image_root))
        text = make_explorer(store, settings)
        made = time.perf_counter() - started
        path = folder / "page.html"
        path.write_text(text, encoding="utf-8")
        pipelines = random_pipelines(args.settings, args.seed)
        abilities = Abilities.of(store.cache, pipelines)
        found = _in_browser(program, path, [abilities.flat(one) for one in pipelines])
        shown, summed = zip(*found.times, strict=True)
        differing = _differing(store, found, pipelines)
    rows = [
        ("images", len(found.image_ids)),
        ("size, MB", len(text.encode()) / 1e6),
        ("made in, s", made),
        ("first image shown after, ms", found.first),
        ("all images ready after, ms", found.ready),
        ("a slider moved: the image after, ms, median", statistics.median(shown)),
        ("the same, slowest", max(shown)),
        ("PQ of all images after, ms, median", statistics.median(summed)),
        ("the same, slowest", max(summed)),
    ]
    print(tabulate(rows, floatfmt=".2f"))
    said = f"other counts than Python at {differing}" if differing else "the same counts as in Python"
    print(f"{len(pipelines)} settings: {said}")
    return 1 if differing else 0


def random_pipelines(number: int, seed: int) -> List[Pipeline]:
    """Settings of five rules with random thresholds."""
    rng = np.random.default_rng(seed)
    rules: List[Dict[str, Any]] = [
        {"claim": Greedy()}, {"claim": PerPixel()}, {"claim": ClassAware()}, {"claim": Reclaim()}, {"suppress": Nms()},
    ]  # fmt: skip
    pipelines = []
    for place in range(number):
        score, overlap, area = rng.random(3).round(3).tolist()
        base = Pipeline(instances_score_thresh=score, stuff_area_thresh=round(area * 8192), **rules[place % len(rules)])
        if base.value("claim.overlap_threshold") is not None:
            base = base.replaced({"claim.overlap_threshold": overlap})
        pipelines.append(base)
    return pipelines


def _given(args: argparse.Namespace) -> Tuple[RegionStore, Any]:
    return open_store(args.cache, args.gt_json, args.gt_folder), args.image_root


def _generated(args: argparse.Namespace, folder: Path) -> Tuple[RegionStore, Path]:
    scenes = [make_scene(seed, instances=args.detections) for seed in range(args.images)]
    write_ground_truth(folder / "gt", scenes)
    store_predictions(folder / "cache", scenes)
    store = open_store(folder / "cache", folder / "gt" / "panoptic.json", folder / "gt" / "panoptic")
    images = folder / "images"
    for number, image in enumerate(store.cache.manifest.images):
        rng = np.random.default_rng(number)
        noise = rng.integers(0, 256, (image.height // 8, image.width // 8, 3), dtype=np.uint8)
        (images / image.file_name).parent.mkdir(parents=True, exist_ok=True)
        photo = Image.fromarray(noise).resize((image.width, image.height), Image.Resampling.BICUBIC)
        photo.save(images / image.file_name)
    return store, images


class _Measured(NamedTuple):
    """Milliseconds until the first image and until all are there, ids of the images, times of slides, and counts."""

    first: float
    ready: float
    image_ids: List[Any]
    times: List[Any]
    counts: List[Any]


def _in_browser(program: str, path: Path, settings: List[Dict[str, Any]]) -> _Measured:
    """Opens the page, moves a slider, and counts under some settings."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise InputError("Playwright is not installed; pip install playwright") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        started = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_selector("#here canvas[aria-label]")
        first = 1000 * (time.perf_counter() - started)
        page.wait_for_selector("html[data-shown=all]", state="attached")
        ready = 1000 * (time.perf_counter() - started)
        ids = page.evaluate("JSON.parse(document.getElementById('page').textContent).images.map(([id]) => id)")
        # No place comes twice, nor is it where the slider stands already.
        times = page.evaluate(_SLIDE, [(37 * number + 1) % 1000 for number in range(len(settings))])
        counts = page.evaluate(_COUNT, settings)
        browser.close()
    return _Measured(first, ready, ids, times, counts)


def _differing(store: RegionStore, found: _Measured, pipelines: List[Pipeline]) -> List[int]:
    """The settings whose counts are not those of Python."""
    categories = store.cache.manifest.categories
    plan, total = SettingsPlan.of(pipelines, categories), SettingCounts.zeros(len(categories), len(pipelines))
    for image_id in found.image_ids:
        regions = plan.read(store, image_id)
        total.add_gt(regions[0].gt, categories)
        total.add_image(plan.count(*regions))

    def differs(number: int) -> bool:
        expected = {key: dataclasses.astuple(one) for key, one in total.of_setting(number, categories).items()}
        return {key: (int(iou_sum), *others) for key, iou_sum, *others in found.counts[number]} != expected

    return [number for number in range(len(pipelines)) if differs(number)]
