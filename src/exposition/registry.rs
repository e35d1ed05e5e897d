//! The registry of the exporter's own metrics, as the crate `prometheus` gathers it.

use prometheus::proto::{Histogram, Metric, MetricFamily, MetricType};

use super::text::{Lines, Value, push_label};
use crate::stats::Kind;

/// Writes all samples of the families. Types that the exporter does not use are left out.
pub(super) fn write(page: &mut Lines, families: &[MetricFamily]) {
    for family in families {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE => Kind::Gauge,
            MetricType::HISTOGRAM => Kind::Histogram,
            MetricType::SUMMARY | MetricType::UNTYPED => continue,
        };
        page.named_family(family.name(), kind, family.help());
        for metric in family.get_metric() {
            let labels = labels(metric);
            match kind {
                Kind::Counter => page.sample(&labels, metric.get_counter().get_value()),
                Kind::Gauge => page.sample(&labels, metric.get_gauge().get_value()),
                Kind::Histogram => histogram(page, &labels, metric.get_histogram()),
            }
        }
    }
}

fn labels(metric: &Metric) -> String {
    let mut text = String::new();
    for pair in metric.get_label() {
        push_label(&mut text, pair.name(), pair.value());
    }
    text
}

fn histogram(page: &mut Lines, labels: &str, histogram: &Histogram) {
    let count = histogram.get_sample_count();
    let buckets = histogram
        .get_bucket()
        .iter()
        .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
        .filter(|(bound, _)| bound.is_finite());
    for (bound, cumulative) in buckets.chain([(f64::INFINITY, count)]) {
        let mut labels = labels.to_owned();
        push_label(&mut labels, "le", &upper_bound(bound));
        page.suffixed_sample("_bucket", &labels, cumulative);
    }
    page.suffixed_sample("_sum", labels, histogram.get_sample_sum());
    page.suffixed_sample("_count", labels, count);
}

/// With a decimal point, as OpenMetrics asks. The other format does not mind, and so a series keeps
/// its name in both formats.
fn upper_bound(bound: f64) -> String {
    if bound.is_finite() { format!("{bound:?}") } else { Value::from(bound).to_string() }
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, HistogramVec, IntCounter, core::Collector as _};

    use super::*;
    use crate::exposition::Format;

    #[test]
    fn every_type_in_use_is_written_with_all_its_samples() {
        let counter = IntCounter::new("c_total", "C.").unwrap();
        counter.inc();
        let opts = HistogramOpts::new("h", "H.").buckets(vec![0.5, 1.0]);
        let histogram = HistogramVec::new(opts, &["a"]).unwrap();
        for seconds in [0.1, 0.7, 3.0] {
            histogram.with_label_values(&["x\"y"]).observe(seconds);
        }
        let mut page = Lines::new(Format::OpenMetrics100);
        write(&mut page, &[counter.collect(), histogram.collect()].concat());
        assert_eq!(
            page.finish(),
            "# HELP c C.\n\
             # TYPE c counter\n\
             c_total 1\n\
             # HELP h H.\n\
             # TYPE h histogram\n\
             h_bucket{a=\"x\\\"y\",le=\"0.5\"} 1\n\
             h_bucket{a=\"x\\\"y\",le=\"1.0\"} 2\n\
             h_bucket{a=\"x\\\"y\",le=\"+Inf\"} 3\n\
             h_sum{a=\"x\\\"y\"} 3.8\n\
             h_count{a=\"x\\\"y\"} 3\n\
             # EOF\n"
        );
    }

    #[test]
    fn bounds_have_a_decimal_point() {
        let bounds = [0.005, 1.0, 30.0, f64::INFINITY].map(upper_bound);
        assert_eq!(bounds, ["0.005", "1.0", "30.0", "+Inf"]);
    }
}
