// The data of the page that are not of a single image, and its images, as they stand in the HTML.

import { readImage } from "explorer/image.js";

/** What make.py said of the page, with `placeOf`, the place of each category id. */
export function readPage() {
  const page = JSON.parse(document.getElementById("page").textContent);
  page.placeOf = new Map(page.categories.map(({ id }, place) => [id, place]));
  return page;
}

/** Functions that read the images, each once. */
export function imageReaders(page) {
  return [...document.querySelectorAll("script.image")].map((element, number) => {
    let reading = null;
    return () => {
      reading = reading ?? readImage(JSON.parse(element.textContent), page.images[number], page);
      return reading;
    };
  });
}
