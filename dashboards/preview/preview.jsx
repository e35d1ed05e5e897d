// Draws a dashboard with Grafana's component library: not Grafana itself. Parameters of the page:
// dashboard (its file name without .json), prometheus (URL), minutes, and values of variables.
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import * as data from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const parameters = new URLSearchParams(location.search);
const to = Math.floor(Date.now() / 1000);
const seconds = 60 * Number(parameters.get('minutes'));
const step = Math.max(2, Math.ceil(seconds / 300));
const [width, unit, gap] = [1560, 30, 8];
const theme = data.createTheme({ colors: { mode: 'dark' } });

const { mergeTransformer, organizeFieldsTransformer } = data.standardTransformers;
data.standardTransformersRegistry.setInit(() =>
  [mergeTransformer, organizeFieldsTransformer].map((one) => ({ id: one.id, transformation: () => Promise.resolve(one) }))
);

function interpolate(text) {
  const builtIn = { __rate_interval: `${Math.max(4 * step, 8)}s`, __range: `${seconds}s` };
  return text.replace(/\$(\w+)/g, (_, name) => builtIn[name] ?? parameters.get(name) ?? '.+');
}

async function ask(query) {
  const over = { start: to - seconds, end: to, step };
  const asked = new URLSearchParams({ query: interpolate(query.expr), ...(query.instant ? { time: to } : over) });
  const kind = query.instant ? 'query' : 'query_range';
  const answer = await (await fetch(`${parameters.get('prometheus')}/api/v1/${kind}?${asked}`)).json();
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
    const length = query.instant ? 1 : Math.floor(seconds / step) + 1;
    const times = Array.from({ length }, (_, i) => (query.instant ? to : to - seconds + i * step));
    const numbers = times.map((time) => found.get(time) ?? null);
    const fields = [
      { name: 'Time', type: 'time', config: {}, values: times.map((time) => time * 1000) },
      { name: 'Value', type: 'number', config: { displayNameFromDS: name }, labels: metric, values: numbers },
    ];
    return { refId: query.refId, name, fields, length: times.length };
  });
}

// Defaults and overrides, as Grafana applies them to fields.
function configure(panel, frame) {
  const fields = frame.fields.map((field) => {
    const name = data.getFieldDisplayName(field, frame);
    const { unit, ...rest } = structuredClone(panel.fieldConfig.defaults);
    const config = { ...rest, ...(field.type === 'number' && { unit }), ...field.config };
    for (const { matcher, properties } of panel.fieldConfig.overrides) {
      for (const { id, value } of matcher.options === name ? properties : []) {
        id.startsWith('custom.') ? (config.custom = { ...config.custom, [id.slice(7)]: value }) : (config[id] = value);
      }
    }
    const getLinks = () => (config.links ?? []).map(({ title }) => ({ title, href: '#', origin: field }));
    const made = { ...field, config, getLinks };
    made.display = data.getDisplayProcessor({ field: made, theme });
    return made;
  });
  return { ...frame, fields };
}

// A substitute for Grafana's state timeline, which is not in the library.
function Timeline({ series, width, height }) {
  const [names, line] = [Math.min(290, width / 4), height / series.length];
  const style = { position: 'relative', height: line, lineHeight: `${line - 2}px`, fontSize: Math.min(12, line - 2) };
  return series.map(({ name, length, fields: [, field] }) => {
    const scale = (width - names) / length;
    const runs = [];
    field.values.forEach((value, i) => {
      const last = runs.at(-1);
      last?.value === value ? (last.end = i + 1) : runs.push({ value, start: i, end: i + 1 });
    });
    return (
      <div key={name} style={{ ...style, whiteSpace: 'nowrap' }}>
        {name}
        {runs.filter(({ value }) => value !== null).map(({ value, start, end }) => {
          const { text, color } = field.display(value);
          const place = { left: names + start * scale, width: (end - start) * scale, top: 1, bottom: 1 };
          const look = { position: 'absolute', background: color, opacity: 0.75, color: '#111', overflow: 'hidden' };
          return <div key={start} style={{ ...place, ...look }}>{(end - start) * scale > 70 ? ` ${text}` : ''}</div>;
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
  const [from, until] = [to - seconds, to].map((time) => data.dateTime(time * 1000));
  const timeRange = { from, to: until, raw: { from, to: until } };
  const draw = (inner, height) => {
    if (problem || !series) {
      return problem ?? '';
    }
    if (!series.some((frame) => frame.length)) {
      const text = panel.fieldConfig.defaults.noValue ?? 'No data';
      return <div style={{ textAlign: 'center', paddingTop: height / 2 - 10 }}>{text}</div>;
    }
    if (panel.type === 'stat') {
      const field = series[0].fields.find(({ type }) => type === 'number');
      const value = field.display(field.values.at(-1));
      const sparkline = panel.options.graphMode === 'area' ? { y: field, x: series[0].fields[0] } : undefined;
      return <BigValue {...{ ...panel.options, theme, width: inner, height, value, sparkline }} />;
    }
    if (panel.type === 'table') {
      const size = { width: inner, height, enableVirtualization: false };
      return <TableNG {...{ ...size, data: series[0], sortBy: panel.options.sortBy, cellHeight: 'sm' }} />;
    }
    if (panel.type === 'state-timeline') {
      return <Timeline {...{ series, width: inner, height }} />;
    }
    // Grafana numbers the series of a panel for the classic palette.
    series.forEach(({ fields: [, field] }, index) => (field.state = { ...field.state, seriesIndex: index }));
    const { legend } = panel.options;
    return <TimeSeries {...{ frames: series, width: inner, height, timeRange, timeZone: 'utc', legend }} />;
  };
  return (
    <div style={place}>
      <PanelChrome {...size} title={panel.title} padding={panel.type === 'table' ? 'none' : 'md'}>
        {draw}
      </PanelChrome>
    </div>
  );
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
