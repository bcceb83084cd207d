// Settings as the YAML that train_net.py takes, with Detectron2's keys.

const COMMENT = "# Fusion settings from an explorer page. Give your model's config as _BASE_, or add these keys to it.";
const LOWEST_SCORE = 0.05;

/** The text of a config file. Throws an Error if two categories share a name and one has a value of its own. */
export function toYaml(settings, page) {
  const config = {
    MODEL: { META_ARCHITECTURE: page.architecture, ROI_HEADS: {}, PANOPTIC_FPN: {}, PANOPTIC_FUSION: {} },
  };
  const scores = [settings.instances_score_thresh, ...settings.instances_score_thresh_of.map(([, value]) => value)];
  put(config, "MODEL.ROI_HEADS.SCORE_THRESH_TEST", Math.min(LOWEST_SCORE, ...scores));
  put(config, "MODEL.PANOPTIC_FUSION.PRESET", "detectron2");
  for (const [path, key] of Object.entries(page.keys.thresholds))
    if (path in settings) put(config, key, settings[path]);
  put(config, "MODEL.PANOPTIC_FUSION.PER_CLASS", perClass(settings, page));
  for (const stage of Object.keys(page.rules))
    put(config, `MODEL.PANOPTIC_FUSION.${stage.toUpperCase()}`, node(settings, stage, page));
  return `${COMMENT}\n${lines(config, "").join("\n")}\n`;
}

function put(config, key, value) {
  const names = key.split(".");
  let place = config;
  for (const name of names.slice(0, -1)) place = place[name] = place[name] ?? {};
  place[names.at(-1)] = value;
}

function perClass(settings, page) {
  const entries = [];
  for (const { id } of page.categories) {
    const values = {};
    for (const [key, path] of Object.entries(page.keys.per_class)) {
      const own = (settings[path] ?? []).find(([one]) => one === id);
      if (own) values[key] = own[1];
    }
    if (Object.keys(values).length) entries.push([nameOf(id, page), values]);
  }
  return entries;
}

/** The keys of a stage; overlap thresholds stand elsewhere. */
function node(settings, stage, page) {
  const values = { NAME: settings[stage] };
  for (const [path, value] of Object.entries(settings)) {
    if (!path.startsWith(`${stage}.`)) continue;
    const name = path.slice(stage.length + 1);
    if (name === "calibration") {
      const { weights, default_weights: others } = page.calibrations[value];
      values.WEIGHTS = weights.map(([id, own]) => [nameOf(id, page), own]);
      values.DEFAULT_WEIGHTS = others;
    } else if (name === "cut") {
      values.CUT = value.map(([id, own]) => [nameOf(id, page), own]);
    } else if (name === "precedence") {
      values.PRECEDENCE = value.map((pair) => pair.map((id) => nameOf(id, page)));
    } else if (!name.startsWith("overlap_threshold")) {
      values[name.toUpperCase()] = value;
    }
  }
  return values;
}

function nameOf(id, page) {
  const { name } = page.categories[page.placeOf.get(id)];
  if (page.categories.filter((one) => one.name === name).length > 1) {
    throw new Error(`Two classes are called ${name}; values of single classes go by name in YAML.`);
  }
  return name;
}

function lines(mapping, indent) {
  return Object.entries(mapping).flatMap(([key, value]) => {
    if (Array.isArray(value) && value.length && Array.isArray(value[0])) {
      return [`${indent}${key}:`, ...value.map((one) => `${indent}- ${inLine(one)}`)];
    }
    if (typeof value === "object" && !Array.isArray(value)) return [`${indent}${key}:`, ...lines(value, `${indent}  `)];
    return [`${indent}${key}: ${inLine(value)}`];
  });
}

function inLine(value) {
  if (Array.isArray(value)) return `[${value.map(inLine).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value)
      .map(([key, one]) => `${key}: ${inLine(one)}`)
      .join(", ")}}`;
  }
  if (typeof value !== "string") return String(value);
  if (/^[A-Za-z][A-Za-z0-9_]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value)) return value;
  // In double quotes YAML reads JSON's escapes; what it refuses as it stands is escaped too.
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
