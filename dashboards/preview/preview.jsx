// Draws a dashboard with Grafana's component library: not Grafana itself. Parameters of the page:
// dashboard (its file name without .json), prometheus (URL), minutes, and values of variables.
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import * as data from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const parameters = new URLSearchParams(location.search);
const prometheus = parameters.get('prometheus');
const to = Number(parameters.get('to') ?? Math.floor(Date.now() / 1000));
const seconds = 60 * Number(parameters.get('minutes') ?? 15);
const step = Math.max(2, Math.ceil(seconds / 300));
const [width, unit, gap] = [1560, 30, 8];
const theme = data.createTheme({ colors: { mode: 'dark' } });

const { standardTransformers, standardTransformersRegistry } = data;
const known = ['mergeTransformer', 'organizeFieldsTransformer'];
standardTransformersRegistry.setInit(() =>
  known.map((name) => ({ id: standardTransformers[name].id, transformation: () => Promise.resolve(standardTransformers[name]) }))
);

function interpolate(text) {
  const builtIn = { __rate_interval: `${Math.max(4 * step, 8)}s`, __range: `${seconds}s` };
  return text.replace(/\$(\w+)/g, (_, name) => builtIn[name] ?? parameters.get(name) ?? '.+');
}

async function ask(query) {
  const expr = interpolate(query.expr);
  const url = query.instant
    ? `${prometheus}/api/v1/query?query=${encodeURIComponent(expr)}&time=${to}`
    : `${prometheus}/api/v1/query_range?query=${encodeURIComponent(expr)}&start=${to - seconds}&end=${to}&step=${step}`;
  const answer = await (await fetch(url)).json();
  if (answer.status !== 'success') {
    throw new Error(answer.error);
  }
  return answer.data.result;
}

// What Grafana's data source for Prometheus makes of an answer: a table, or a frame per series.
function frames(query, result) {
  if (query.format === 'table') {
    const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
    const column = (name, type, values) => ({ name, type, config: {}, values });
    const fields = [
      column('Time', 'time', result.map(() => to * 1000)),
      ...labels.map((label) => column(label, 'string', result.map(({ metric }) => metric[label] ?? ''))),
      column(query.only ? 'Value' : `Value #${query.refId}`, 'number', result.map(({ value }) => Number(value[1]))),
    ];
    return [{ refId: query.refId, fields, length: result.length }];
  }
  return result.map(({ metric, values, value }) => {
    const name = query.legendFormat.replace(/{{(\w+)}}/g, (_, label) => metric[label] ?? '') || 'Value';
    const found = new Map((values ?? [value]).map(([time, text]) => [time, Number(text)]));
    const first = query.instant ? to : to - seconds;
    const times = Array.from({ length: query.instant ? 1 : Math.floor(seconds / step) + 1 }, (_, i) => first + i * step);
    const fields = [
      { name: 'Time', type: 'time', config: {}, values: times.map((time) => time * 1000) },
      { name: 'Value', type: 'number', config: { displayNameFromDS: name }, labels: metric, values: times.map((time) => found.get(time) ?? null) },
    ];
    return { refId: query.refId, name, fields, length: times.length };
  });
}

// Defaults and overrides, as Grafana applies them to fields.
function configure(panel, frame) {
  const fields = frame.fields.map((field) => {
    const name = data.getFieldDisplayName(field, frame);
    const config = { ...structuredClone(panel.fieldConfig.defaults), ...field.config };
    if (field.type !== 'number') {
      delete config.unit;
    }
    for (const { matcher, properties } of panel.fieldConfig.overrides) {
      for (const { id, value } of matcher.options === name ? properties : []) {
        id.startsWith('custom.') ? (config.custom = { ...config.custom, [id.slice(7)]: value }) : (config[id] = value);
      }
    }
    const getLinks = () => (config.links ?? []).map((link) => ({ title: link.title, href: '#', target: '_self', origin: field }));
    const made = { ...field, config, getLinks };
    made.display = data.getDisplayProcessor({ field: made, theme });
    return made;
  });
  return { ...frame, fields };
}

// A substitute for Grafana's state timeline, which is not in the library.
function Timeline({ series, width, height }) {
  const names = Math.min(290, width / 4);
  const line = height / Math.max(series.length, 1);
  return series.map((frame) => {
    const field = frame.fields[1];
    const runs = [];
    field.values.forEach((value, i) => {
      const last = runs.at(-1);
      last?.value === value ? (last.end = i + 1) : runs.push({ value, start: i, end: i + 1 });
    });
    const scale = (width - names) / frame.length;
    return (
      <div key={frame.name} style={{ position: 'relative', height: line, fontSize: Math.min(12, line - 2), whiteSpace: 'nowrap' }}>
        {frame.name}
        {runs.filter(({ value }) => value !== null).map(({ value, start, end }) => {
          const shown = field.display(value);
          const place = { position: 'absolute', left: names + start * scale, width: (end - start) * scale, top: 1, bottom: 1 };
          const text = (end - start) * scale > 70 ? ` ${shown.text}` : '';
          return <div key={start} style={{ ...place, background: shown.color, opacity: 0.75, color: '#111', overflow: 'hidden' }}>{text}</div>;
        })}
      </div>
    );
  });
}

function Panel({ panel }) {
  const [series, setSeries] = useState();
  const [problem, setProblem] = useState();
  useEffect(() => {
    const queries = (panel.targets ?? []).map((query) => ({ ...query, only: panel.targets.length === 1 }));
    Promise.all(queries.map(async (query) => frames(query, await ask(query))))
      .then((all) => {
        const asked = data.transformDataFrame(panel.transformations ?? [], all.flat());
        asked.subscribe((found) => setSeries(found.map((frame) => configure(panel, frame))));
      })
      .catch((error) => setProblem(error.message));
  }, [panel]);
  const { x, y, w, h } = panel.gridPos;
  const size = { width: (width / 24) * w - gap, height: unit * h + gap * (h - 1) };
  const place = { position: 'absolute', left: (width / 24) * x, top: (unit + gap) * y, ...size };
  if (panel.type === 'row') {
    return <h4 style={{ ...place, paddingTop: 4 }}>{panel.title}</h4>;
  }
  const timeRange = { from: data.dateTime((to - seconds) * 1000), to: data.dateTime(to * 1000), raw: { from: 'now-6h', to: 'now' } };
  const draw = (inner, height) => {
    if (problem || !series) {
      return problem ?? '';
    }
    if (!series.some((frame) => frame.length)) {
      const text = panel.fieldConfig.defaults.noValue ?? 'No data';
      return <div style={{ textAlign: 'center', paddingTop: height / 2 - 10 }}>{text}</div>;
    }
    if (panel.type === 'stat') {
      const { colorMode, graphMode, textMode, justifyMode } = panel.options;
      const field = series[0].fields.find(({ type }) => type === 'number');
      const value = field.display(field.values.at(-1));
      const sparkline = graphMode === 'area' ? { y: field, x: series[0].fields[0] } : undefined;
      return <BigValue {...{ theme, width: inner, height, value, sparkline, colorMode, graphMode, textMode, justifyMode }} />;
    }
    if (panel.type === 'table') {
      const { sortBy, cellHeight } = panel.options;
      return <TableNG {...{ data: series[0], width: inner, height, sortBy, cellHeight, enableVirtualization: false }} />;
    }
    if (panel.type === 'state-timeline') {
      return <Timeline {...{ series, width: inner, height }} />;
    }
    const { legend } = panel.options;
    return <TimeSeries {...{ frames: colour(series), width: inner, height, timeRange, timeZone: 'utc', legend }} />;
  };
  return (
    <div style={place}>
      <PanelChrome title={panel.title} description={panel.description} padding={panel.type === 'table' ? 'none' : 'md'} {...size}>
        {draw}
      </PanelChrome>
    </div>
  );
}

// Grafana numbers the series of a panel for the classic palette.
function colour(series) {
  series.forEach((frame, index) => {
    frame.fields[1].state = { ...frame.fields[1].state, seriesIndex: index };
  });
  return series;
}

function Dashboard({ dashboard }) {
  const rows = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return (
    <data.ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={{ eventsScope: 'global', eventBus: new data.EventBusSrv(), sync: () => 0 }}>
        <h3 style={{ margin: '12px 16px' }}>
          {dashboard.title}
          <small style={{ float: 'right', color: theme.colors.text.secondary }}>
            a preview drawn with Grafana&apos;s component library, not Grafana
          </small>
        </h3>
        <div style={{ position: 'relative', margin: 16, width, height: rows * (unit + gap) }}>
          {dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
        </div>
      </PanelContextProvider>
    </data.ThemeContext.Provider>
  );
}

const dashboard = await (await fetch(`${parameters.get('dashboard')}.json`)).json();
createRoot(document.getElementById('root')).render(<Dashboard dashboard={dashboard} />);
