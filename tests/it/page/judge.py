"""Opens pages in a genuine browser, and says what it has to say against them.

    judge.py CHROMEDRIVER CHROMIUM FOLDER PAGE...

Prints an object: for each page and each of four ways to look at it, `complaints` and `seen`, which is the
picture of the page as a text: a cell for each square of 32 pixels, the brightness of what it covers, from 0 to f.
"""
import base64
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zlib

WAYS = [(width, scheme) for width in (1280, 400) for scheme in ("light", "dark")]
# In pixels of a picture at half the size.
CELL = 16
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]

# What is cut off, runs out of the page, cannot be told from what is behind it, or leads nowhere.
LOOK = r"""
const found = [];
const say = (what, element) => found.push(`${what}: ${(element.textContent || element.outerHTML).trim().slice(0, 60)}`);
const shown = e => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().width > 1;
if (document.documentElement.scrollWidth > innerWidth) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
for (const e of document.querySelectorAll('body *')) {
  if (!shown(e) || e.closest('svg') || e.closest('pre') || e.closest('.skip')) continue;
  const style = getComputedStyle(e);
  const hides = style.overflowX !== 'visible' || style.textOverflow === 'ellipsis';
  if (hides && e.scrollWidth > e.clientWidth + 1) say('cut off', e);
  const box = e.getBoundingClientRect();
  if (box.left >= 0 && box.right > innerWidth + 1) say('out of the page', e);
}
for (const node of document.querySelectorAll('svg .node')) {
  if (!shown(node)) continue;
  const outer = node.querySelector('rect').getBBox();
  for (const text of node.querySelectorAll('text')) {
    const box = text.getBBox();
    if (box.x < outer.x || box.x + box.width > outer.x + outer.width || box.y < outer.y || box.y + box.height > outer.y + outer.height) say('out of its box', text);
  }
}
const numbers = color => (color.match(/[\d.]+/g) || []).map(Number);
const light = color => {
  const [r, g, b] = numbers(color).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const behind = e => {
  for (; e; e = e.parentElement) {
    const rect = e.matches('.node') && e.querySelector('rect');
    const color = rect ? getComputedStyle(rect).fill : e.matches('.cut') ? getComputedStyle(e.querySelector('circle')).fill : getComputedStyle(e).backgroundColor;
    const [, , , alpha] = numbers(color);
    if (color !== 'none' && alpha !== 0) return color;
  }
  return 'rgb(255,255,255)';
};
for (const e of document.querySelectorAll('body *')) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  if (!own || !shown(e) || e.closest('.skip')) continue;
  const style = getComputedStyle(e);
  const [one, other] = [light(e.closest('svg') ? style.fill : style.color), light(behind(e))].sort((a, b) => b - a);
  const ratio = (one + .05) / (other + .05);
  if (ratio < 4.5) say(`contrast ${ratio.toFixed(2)}`, e);
}
for (const a of document.querySelectorAll('a[href^="#"]')) if (!document.querySelector(a.getAttribute('href'))) say('leads nowhere', a);
const labels = [...document.querySelectorAll('section')].filter(s => !document.getElementById(s.getAttribute('aria-labelledby')));
labels.forEach(s => say('has no name', s));
return found;
"""

REACHABLE = r"""
return [...document.querySelectorAll('a[href], summary, [tabindex="0"]')].filter(e => e.checkVisibility({visibilityProperty: true}) && (e.closest('details:not([open])') === null || e.matches('summary'))).length;
"""

FOCUSED = r"""
const e = document.activeElement;
if (e === document.body) return null;
window.met = window.met || new Map();
if (!window.met.has(e)) window.met.set(e, window.met.size);
return window.met.get(e);
"""


class Browser:
    def __init__(self, driver, chromium):
        self.folder = tempfile.mkdtemp()
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if "successfully on port " in line:
                self.base = f"http://127.0.0.1:{line.split()[-1].rstrip('.')}/session"
                break
        options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={self.folder}"]}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        try:
            self.base += "/" + self.ask("", {"capabilities": wanted})["sessionId"]
        except OSError:
            self.stop()
            raise

    def ask(self, path, body=None, method="POST"):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        # A proxy of the machine is not for loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return json.load(opener.open(request, timeout=60))["value"]

    def run(self, script):
        return self.ask("/execute/sync", {"script": script, "args": []})

    def command(self, name, **parameters):
        return self.ask("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def end(self):
        self.ask("", method="DELETE")
        self.stop()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def brightness(png):
    """The lines of a picture, each as brightness of its pixels: PNG of 8 bits, not interlaced."""
    at, packed, header = 8, b"", None
    while at < len(png):
        size, kind = int.from_bytes(png[at:at + 4], "big"), png[at + 4:at + 8]
        body = png[at + 8:at + 8 + size]
        header = body if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += size + 12
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    step = {2: 3, 6: 4}[header[9]]
    raw, row = zlib.decompress(packed), width * step
    before, lines = bytes(row), []
    for y in range(height):
        start = y * (row + 1)
        kind, line = raw[start], bytearray(raw[start + 1:start + 1 + row])
        for x in range(row):
            left = line[x - step] if x >= step else 0
            up, corner = before[x], before[x - step] if x >= step else 0
            if kind == 1:
                line[x] = (line[x] + left) & 255
            elif kind == 2:
                line[x] = (line[x] + up) & 255
            elif kind == 3:
                line[x] = (line[x] + (left + up) // 2) & 255
            elif kind == 4:
                guess = left + up - corner
                nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))
                line[x] = (line[x] + nearest[2]) & 255
        before = bytes(line)
        lines.append([sum(line[x:x + 3]) // 3 for x in range(0, row, step)])
    return lines


def cells(png):
    lines = brightness(png)
    out = []
    for y in range(0, len(lines) - CELL + 1, CELL):
        block = lines[y:y + CELL]
        starts = range(0, len(lines[0]) - CELL + 1, CELL)
        means = [sum(sum(line[x:x + CELL]) for line in block) / (CELL * CELL) for x in starts]
        out.append("".join("0123456789abcdef"[min(15, int(mean) // 16)] for mean in means))
    return "\n".join(out) + "\n"


def look(browser, page, width, scheme):
    browser.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=0.5, mobile=False)
    browser.ask("/url", {"url": page.resolve().as_uri()})
    complaints = browser.run(LOOK)
    complaints += [f"console: {line['message']}" for line in browser.ask("/se/log", {"type": "browser"})]
    wanted, met = browser.run(REACHABLE), set()
    for _ in range(wanted):
        browser.command("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        met.add(browser.run(FOCUSED))
    met.discard(None)
    if len(met) != wanted:
        complaints.append(f"{len(met)} of {wanted} are reached with the keyboard")
    browser.run("document.activeElement.blur()")
    shot = browser.command("Page.captureScreenshot", format="png", captureBeyondViewport=True)
    return {"complaints": complaints, "seen": cells(base64.b64decode(shot["data"]))}


def main():
    driver, chromium, folder, *pages = sys.argv[1:]
    chromium = shutil.which(chromium)
    browser = Browser(driver, chromium)
    try:
        told = {f"{page}-{width}-{scheme}": look(browser, pathlib.Path(folder, f"{page}.html"), width, scheme)
                for page in pages for width, scheme in WAYS}
    finally:
        browser.end()
    print(json.dumps(told))


main()
