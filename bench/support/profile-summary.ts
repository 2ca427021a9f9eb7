import { areaOf, type Frame, IDLE, NATIVE } from "./profile-area.ts";

/** What V8's profiler gives, as far as it is read here. The first node is the root. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: Frame;
  /** Samples in which this function itself ran, called in this way. */
  readonly hitCount?: number;
  readonly children?: readonly number[];
}

/** A part of the busy time. */
export interface Share {
  readonly name: string;
  readonly share: number;
}

export interface ProfileSummary {
  /** Of the whole time. */
  readonly idle: number;
  /** All, by the time of their own. */
  readonly areas: readonly Share[];
  /** The first of them, by the time of their own. */
  readonly functions: readonly Share[];
  /** The widest, with all that is called on them. Each step is the function by which an area is entered. */
  readonly paths: readonly Share[];
}

const FUNCTIONS = 15;
const PATHS = 10;
const STEP = " › ";
/** A path with a branch that is nearly as wide says no more than that. */
const BRANCH_SHARE_MAX = 0.95;

/** A flame graph in words: who has the time, by areas, by functions, and by the ways that lead there. */
export function summarizeProfile({ nodes }: CpuProfile): ProfileSummary {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const areas: Hits = new Map();
  const functions: Hits = new Map();
  const paths: Hits = new Map();
  let idle = 0;
  let busy = 0;
  const visit = (node: ProfileNode, areaOfCaller: string, wayOfCaller: readonly string[]): void => {
    const { callFrame: frame, hitCount = 0, children = [] } = node;
    const area = areaOf(frame, areaOfCaller);
    if (area === IDLE) {
      idle += hitCount;
      return;
    }
    busy += hitCount;
    const way = area === areaOfCaller ? wayOfCaller : [...wayOfCaller, frame.functionName || placeOf(frame)];
    add(areas, area, hitCount);
    add(functions, placeOf(frame), hitCount);
    for (const step of way.keys()) add(paths, way.slice(0, step + 1).join(STEP), hitCount);
    for (const id of children) visit(byId.get(id) as ProfileNode, area, way);
  };
  visit(nodes[0] as ProfileNode, NATIVE, []);

  const greatest = (hits: Hits, count?: number): Share[] =>
    [...hits]
      .map(([name, own]) => ({ name, share: own / busy }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share)
      .slice(0, count);
  return {
    idle: idle / (idle + busy),
    areas: greatest(areas),
    functions: greatest(functions, FUNCTIONS),
    paths: greatest(withoutStems(paths), PATHS),
  };
}

type Hits = Map<string, number>;

const add = (hits: Hits, name: string, count: number) => void hits.set(name, (hits.get(name) ?? 0) + count);

function withoutStems(paths: Hits): Hits {
  const branches: Hits = new Map();
  for (const [path, width] of paths) {
    const stem = path.slice(0, Math.max(0, path.lastIndexOf(STEP)));
    branches.set(stem, Math.max(width, branches.get(stem) ?? 0));
  }
  return new Map([...paths].filter(([path, width]) => (branches.get(path) ?? 0) < width * BRANCH_SHARE_MAX));
}

/** `fromBinary (protobuf/dist/esm/from-binary.js:51)`: the name, and the end of the way to its file. */
function placeOf({ functionName, url, lineNumber }: Frame): string {
  if (url === "") return functionName || "(native)";
  const file = url.split("/").slice(-2).join("/");
  return `${functionName || "(anonymous)"} (${file}:${lineNumber + 1})`;
}

/** As Markdown. */
export function summaryText({ idle, areas, functions, paths }: ProfileSummary): string {
  return [
    table("area, by its own time", [...areas, { name: "(idle, of all time)", share: idle }]),
    table("function, by its own time", functions),
    table("path, with all below it", paths),
  ].join("\n");
}

function table(title: string, shares: readonly Share[]): string {
  const lines = shares.map(
    ({ name, share }) => `| ${name.replaceAll("|", "\\|")} | ${(share * 100).toFixed(1)} % |`,
  );
  return [`| ${title} | share |`, "| --- | --- |", ...lines, ""].join("\n");
}
