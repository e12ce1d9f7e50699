//! What `aro-host top` looks like; at home in 80 × 24.

use super::model::{Line, View};
use crate::admin::status::Detail;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Sparkline, Table, TableState, Wrap};
use std::time::Duration;

/// Lines that the history takes.
const HISTORY_HEIGHT: u16 = 4;
/// Faults that are shown.
const FAULTS_SHOWN: usize = 20;

pub(super) fn draw(frame: &mut Frame<'_>, view: &mut View) {
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(headline(view), head);
    match view.detailed() {
        None => {
            let [table, history] =
                Layout::vertical([Constraint::Min(3), Constraint::Length(HISTORY_HEIGHT)])
                    .areas(body);
            tenants(frame, view, table);
            sparkline(frame, view, history);
        }
        Some(name) => {
            let detail = view.detail.as_ref();
            let detail = detail.filter(|detail| detail.status.tenant == name);
            if let Some(detail) = detail {
                self::detail(frame, detail, body);
            }
        }
    }
    frame.render_widget(footline(view), foot);
}

fn headline(view: &View) -> Text<'static> {
    let uptime = Duration::from_millis(view.now.uptime_ms).as_secs();
    let events: f64 = view.lines.iter().map(|line| line.events).sum();
    let connections: usize = view.lines.iter().map(|line| line.one.connections).sum();
    let process = &view.now.process;
    Text::from(vec![
        "aro-host ".bold(),
        Span::raw(format!(
            "up {}:{:02}:{:02}  tenants {}  connections {connections}  events/s {}  memory {}",
            uptime / 3600,
            uptime / 60 % 60,
            uptime % 60,
            view.lines.len(),
            number(events),
            bytes(process.resident_bytes as f64),
        )),
    ])
}

fn footline(view: &View) -> Text<'static> {
    if let Some(trouble) = &view.trouble {
        return Text::from(clean(trouble)).red();
    }
    let paused = if view.paused { "  PAUSED" } else { "" };
    let order = view.order.name();
    Text::from(format!(
        "q leave  ↑↓ choose  Enter details  s sort ({order})  p pause{paused}"
    ))
    .dark_gray()
}

/// Titles and widths of the columns behind the name.
const COLUMNS: [(&str, u16); 11] = [
    ("VER", 3),
    ("CONN", 6),
    ("EV/S", 6),
    ("ERR/S", 5),
    ("LIM/S", 5),
    ("P50", 6),
    ("P99", 6),
    ("IN/S", 5),
    ("OUT/S", 5),
    ("MEM", 5),
    ("CPU%", 5),
];

fn tenants(frame: &mut Frame<'_>, view: &View, area: Rect) {
    let widths = std::iter::once(Constraint::Min(9))
        .chain(COLUMNS.iter().map(|(_, width)| Constraint::Length(*width)));
    let titles = std::iter::once(Cell::from("TENANT")).chain(
        COLUMNS
            .iter()
            .map(|(title, _)| Cell::from(Text::from(*title).right_aligned())),
    );
    let table = Table::new(view.lines.iter().map(row), widths)
        .header(Row::new(titles).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .column_spacing(1);
    let mut state = TableState::new().with_selected(Some(view.place()));
    frame.render_stateful_widget(table, area, &mut state);
}

fn row(line: &Line) -> Row<'static> {
    let one = &line.one;
    let memory = (one.instance_bytes + one.state_bytes) as f64;
    let version = one
        .version
        .map_or("-".to_owned(), |number| number.to_string());
    let name = match one.running {
        true => one.tenant.clone(),
        false => format!("{} (stopped)", one.tenant),
    };
    let cells = [
        version,
        number(one.connections as f64),
        number(line.events),
        number(line.failures),
        number(line.limits),
        time(line.median),
        time(line.p99),
        bytes(line.received),
        bytes(line.sent),
        bytes(memory),
        format!("{:.1}", line.cpu * 100.0),
    ];
    let cells = cells
        .into_iter()
        .map(|text| Cell::from(Text::from(text).right_aligned()));
    let row = Row::new(std::iter::once(Cell::from(name)).chain(cells));
    match line.failures > 0.0 || line.limits > 0.0 {
        true => row.style(Style::new().fg(Color::Red)),
        false => row,
    }
}

fn sparkline(frame: &mut Frame<'_>, view: &View, area: Rect) {
    let Some(line) = view.lines.get(view.place()) else {
        return;
    };
    let values = view.history.get(&line.one.tenant);
    let values = values.map(Vec::as_slice).unwrap_or_default();
    let shown = values.len().min(usize::from(area.width));
    let last = values.get(values.len() - shown..).unwrap_or_default();
    let peak = last.iter().max().copied().unwrap_or(0);
    let title = format!(
        " {}: events/s, at most {} ",
        line.one.tenant,
        number(peak as f64)
    );
    let block = Block::new().borders(Borders::TOP).title(title);
    frame.render_widget(Sparkline::default().block(block).data(last), area);
}

fn detail(frame: &mut Frame<'_>, detail: &Detail, area: Rect) {
    let sets = u16::try_from(detail.feature_sets.len()).unwrap_or(u16::MAX);
    let [head, table, rest] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(sets.saturating_add(2).min(area.height / 2)),
        Constraint::Min(2),
    ])
    .areas(area);
    let one = &detail.status;
    let places: Vec<&str> = one
        .listeners
        .iter()
        .chain(&one.http)
        .map(String::as_str)
        .collect();
    let limits: Vec<String> = one
        .limits
        .iter()
        .map(|(name, times)| format!("{name} {times}"))
        .collect();
    let limits = match limits.is_empty() {
        true => "none".to_owned(),
        false => limits.join(", "),
    };
    let lines = vec![
        Text::from(vec![
            one.tenant.clone().bold(),
            format!("  {}", places.join(" ")).into(),
        ]),
        Text::from(format!("limits met: {limits}")),
    ];
    frame.render_widget(Paragraph::new(lines), head);
    frame.render_widget(feature_sets(detail), table);
    frame.render_widget(faults(detail), rest);
}

fn feature_sets(detail: &Detail) -> Table<'static> {
    let titles = [
        "FEATURE SET",
        "DONE",
        "FAILED",
        "TRAPPED",
        "LIMITED",
        "P50",
        "P99",
    ];
    let rows = detail.feature_sets.iter().map(|set| {
        let mut counts = vec![0; set.durations.first];
        counts.extend(&set.durations.counts);
        let quantile = |part| time(aro_host::quantile(&counts, part));
        let count = |count: u64| number(count as f64);
        Row::new([
            clean(&format!("{} ({})", set.name, set.activity)),
            count(set.done),
            count(set.failed),
            count(set.trapped),
            count(set.limited),
            quantile(0.5),
            quantile(0.99),
        ])
    });
    let widths = [Constraint::Min(20)]
        .into_iter()
        .chain([7; 6].map(Constraint::Length));
    Table::new(rows, widths)
        .header(Row::new(titles).style(Style::new().add_modifier(Modifier::BOLD)))
        .column_spacing(1)
}

fn faults(detail: &Detail) -> Paragraph<'static> {
    let mut lines = Vec::new();
    for fault in detail.faults.iter().take(FAULTS_SHOWN) {
        let ending = match &fault.limit {
            Some(limit) => format!("{}: {limit}", fault.ending),
            None => fault.ending.clone(),
        };
        let place = fault.place.clone().unwrap_or_default();
        lines.push(Text::from(vec![
            clean(&fault.feature_set).bold(),
            format!("  {ending}").red(),
            format!("  {}", clean(&place)).dark_gray(),
        ]));
        if let Some(statement) = &fault.statement {
            lines.push(Text::from(format!("  {}", clean(statement))));
        }
        lines.push(Text::from(format!("  {}", clean(&fault.cause))));
    }
    if lines.is_empty() {
        lines.push(Text::from("every execution has ended as it should").dark_gray());
    }
    let block = Block::new().borders(Borders::TOP).title(" last errors ");
    Paragraph::new(lines)
        .block(block)
        .wrap(Wrap { trim: false })
}

/// A text that a program made, as one line without commands to the terminal.
fn clean(text: &str) -> String {
    let shown = |letter: char| match letter.is_control() {
        true => ' ',
        false => letter,
    };
    text.chars().map(shown).collect()
}

/// At most five letters.
fn number(value: f64) -> String {
    match value {
        value if value >= 9_999_500.0 => format!("{:.0}M", value / 1e6),
        value if value >= 99_999.5 => format!("{:.0}k", value / 1e3),
        value if value >= 10.0 || value.fract() == 0.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}

/// At most five letters.
fn bytes(mut value: f64) -> String {
    for unit in ["B", "K", "M", "G"] {
        if value < 999.5 {
            return match value < 9.95 && unit != "B" {
                true => format!("{value:.1}{unit}"),
                false => format!("{value:.0}{unit}"),
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1}T")
}

/// At most six letters.
fn time(duration: Option<Duration>) -> String {
    let Some(duration) = duration else {
        return "-".to_owned();
    };
    match duration.as_secs_f64() * 1e6 {
        value if value < 999.5 => format!("{value:.0}µs"),
        value if value < 9_950.0 => format!("{:.1}ms", value / 1e3),
        value if value < 999_500.0 => format!("{:.0}ms", value / 1e3),
        value => format!("{:.1}s", value / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::whole;
    use super::*;
    use crate::admin::status::{Failed, Set};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn screen(view: &mut View) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        let buffer = terminal.backend().buffer();
        let lines = buffer.content().chunks(80);
        let line = |cells: &[ratatui::buffer::Cell]| -> String {
            cells.iter().map(ratatui::buffer::Cell::symbol).collect()
        };
        lines
            .map(|cells| format!("{}\n", line(cells).trim_end()))
            .collect()
    }

    fn view() -> View {
        let mut view = View::default();
        view.take(whole(
            1000,
            &[("chat", 1000, 0), ("shop-with-a-long-name", 50, 2)],
        ));
        view.take(whole(
            2000,
            &[("chat", 13_000, 0), ("shop-with-a-long-name", 120, 5)],
        ));
        view
    }

    #[test]
    fn eighty_columns_hold_every_number() {
        let shown = screen(&mut view());
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[0],
            "aro-host up 0:00:02  tenants 2  connections 14  events/s 12070  memory 0B"
        );
        assert_eq!(
            lines[1],
            "TENANT       VER   CONN   EV/S ERR/S LIM/S    P50    P99  IN/S OUT/S   MEM  CPU%"
        );
        let chat: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(
            chat,
            [
                "chat", "2", "7", "12000", "0", "0", "112µs", "128µs", "750K", "375K", "3.0M",
                "120.0"
            ]
        );
        assert!(lines[3].starts_with("shop-with"), "{}", lines[3]);
        assert!(lines[3].contains(" 70     3     3 "), "{}", lines[3]);
        assert!(shown.contains(" chat: events/s, at most 12000 "), "{shown}");
        assert!(lines[23].starts_with("q leave  ↑↓ choose"), "{}", lines[23]);
    }

    #[test]
    fn details_show_the_statement_and_no_command_to_the_terminal() {
        let mut view = view();
        view.step(1);
        view.toggle_detail();
        let mut status = view.lines[1].one.clone();
        status.listeners = vec!["127.0.0.1:9000".into()];
        view.detail = Some(Detail {
            status,
            feature_sets: vec![Set {
                name: "Divide".into(),
                activity: "Data Handler".into(),
                done: 115,
                trapped: 5,
                ..Set::default()
            }],
            faults: vec![Failed {
                feature_set: "Divide".into(),
                ending: "limited".into(),
                limit: Some("cpu_time_max".into()),
                statement: Some("Compute the <x> from 1 / 0.\u{1b}[2J".into()),
                place: Some("main.aro:7:5".into()),
                cause: "ran longer than 250 ms".into(),
                ..Failed::default()
            }],
            ..Detail::default()
        });
        let shown = screen(&mut view);
        for text in [
            "shop-with-a-long-name  127.0.0.1:9000",
            "limits met: cpu_time_max 5",
            "Divide (Data Handler)",
            "Divide  limited: cpu_time_max  main.aro:7:5",
            "  Compute the <x> from 1 / 0. [2J",
            "  ran longer than 250 ms",
        ] {
            assert!(shown.contains(text), "{text} is not in\n{shown}");
        }
        assert!(!shown.contains('\u{1b}'));
    }

    #[test]
    fn numbers_keep_to_their_columns() {
        for value in [0.0, 0.04, 9.96, 10.0, 999.0, 99_999.0, 99_999.6, 9.9e6, 1e9] {
            assert!(number(value).chars().count() <= 6, "{}", number(value));
        }
        for value in [0.0, 9.94, 999.4, 1000.0, 10_188.0, 1e6, 1e9, 1e12] {
            assert!(bytes(value).chars().count() <= 5, "{}", bytes(value));
        }
        for value in [0, 999, 9_949_999, 999_499_999, 99_000_000_000] {
            let text = time(Some(Duration::from_nanos(value)));
            assert!(text.chars().count() <= 6, "{text}");
        }
    }
}
