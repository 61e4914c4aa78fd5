"""How the report looks: light or dark, as its reader has it; no font or file of anybody's."""

STYLE = """
:root { --ink: #1c2430; --quiet: #667085; --paper: #fff; --soft: #f3f5f8; --line: #d9dee6;
  --good: #1a7f4b; --bad: #c0362c; --open: #b7791f; --blue: #3b6fd4; --violet: #7a5bd0;
  --fault: #d9480f; color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --quiet: #97a1b2; --paper: #14181f;
  --soft: #1e242e; --line: #333c4a; --good: #46b981; --bad: #f0776c; --open: #e0b252;
  --blue: #7da7f5; --violet: #a993f0; --fault: #f08c4a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1180px; margin: 0 auto; padding: 24px }
header { display: flex; gap: 24px; align-items: center; border-left: 8px solid var(--open);
  background: var(--soft); padding: 16px 20px; border-radius: 6px }
header.pass { border-color: var(--good) } header.fail { border-color: var(--bad) }
.outcome { font-size: 28px; font-weight: 700; margin: 0; color: var(--open) }
.pass .outcome { color: var(--good) } .fail .outcome { color: var(--bad) }
h1 { font-size: 20px; margin: 0 } header p { margin: 2px 0 }
h2 { font-size: 17px; margin: 30px 0 8px }
.quiet, small { color: var(--quiet) } .quiet { font-size: 13px }
.reasons { border-left: 3px solid var(--bad); padding: 2px 0 2px 30px }
.boxes { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 10px }
.box { background: var(--soft); border-radius: 6px; padding: 10px 14px }
.box b { font-size: 22px; display: block; line-height: 1.2 } .box span { font-weight: 600 }
.box small { display: block; line-height: 1.35 } .box.bad b, .box.bad span { color: var(--bad) }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line);
  white-space: nowrap; font-variant-numeric: tabular-nums }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left }
th { color: var(--quiet); font-weight: 600; font-size: 13px }
details { border: 1px solid var(--line); border-radius: 6px; padding: 8px 12px; margin: 8px 0 }
summary { cursor: pointer } summary b { color: var(--bad) }
pre { overflow-x: auto; background: var(--soft); padding: 10px; border-radius: 4px;
  font-size: 13px; line-height: 1.45 }
svg.timeline { width: 100%; min-width: 820px; height: auto; display: block }
svg text { font: 11px system-ui, sans-serif; fill: var(--quiet) }
svg .name { font-size: 12.5px; font-weight: 600; fill: var(--ink) } svg .label { fill: var(--ink) }
.grid { stroke: var(--line); stroke-width: .6 } .base { stroke: var(--quiet); stroke-width: .8 }
.fault { fill: var(--fault) } .during { fill: var(--fault); opacity: .12 }
.unsteady { fill: var(--open) }
.line { fill: none; stroke-width: 1.4 } .area { opacity: .16; stroke: none }
.line.came { stroke: var(--violet) } .area.came, .key.came { fill: var(--violet) }
.line.went { stroke: var(--good) } .area.went, .key.went { fill: var(--good) }
.line.queued { stroke: var(--open) } .area.queued, .key.queued { fill: var(--open) }
.line.held { stroke: var(--blue) } .area.held, .key.held { fill: var(--blue) }
.line.up { stroke: var(--blue) } .area.up, .key.up { fill: var(--blue) }
.stint.succeeded { fill: var(--good) } .stint.failed { fill: var(--violet) }
.stint.taken { fill: var(--bad) } .stint.handed-back { fill: var(--blue) }
.stint.open { fill: var(--open) }
"""
