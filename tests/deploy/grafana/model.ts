// What the dashboards are made of, in the words of @grafana/schema.
import type { Dashboard } from '@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as stateTimeline from '@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as timeSeries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

export interface Model {
  dashboard: Dashboard;
  stat: { options: Partial<stat.Options> };
  'state-timeline': { options: Partial<stateTimeline.Options>; custom: Partial<stateTimeline.FieldConfig> };
  table: { options: Partial<table.Options>; custom: Partial<table.FieldConfig> };
  timeseries: { options: Partial<timeSeries.Options>; custom: Partial<timeSeries.FieldConfig> };
}
