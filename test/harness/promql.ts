import { parser } from '@prometheus-io/lezer-promql';

/** What an expression reads: a metric, and the labels that it is chosen by. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Labels of `by`, `without`, `on`, `ignoring` and `group_left`. */
  readonly groupings: readonly string[];
}

type Node = ReturnType<typeof parser.parse>['topNode'];

/** Reads a PromQL expression with Prometheus's own grammar. Throws where it does not parse. */
export function parseExpression(text: string): Expression {
  const { topNode } = parser.parse(text);
  const nodes = [...descendants(topNode)];
  const broken = nodes.find(({ type }) => type.isError);
  if (broken) throw new Error(`Not PromQL at ${broken.from}: ${text}`);
  const textOf = ({ from, to }: Node) => text.slice(from, to);
  const named = (node: Node, name: string) => [...descendants(node)].filter((inner) => inner.name === name);
  return {
    selectors: nodes.filter(({ name }) => name === 'VectorSelector').map((node) => toSelector(node, named, textOf)),
    groupings: nodes
      .filter(({ name }) => name === 'GroupingLabels')
      .flatMap((node) => named(node, 'LabelName').map(textOf)),
  };
}

function toSelector(node: Node, named: (node: Node, name: string) => Node[], textOf: (node: Node) => string): Selector {
  const [metric] = named(node, 'Identifier').map(textOf);
  if (metric === undefined) throw new Error(`A selector without a metric: ${textOf(node)}`);
  const matchers = named(node, 'UnquotedLabelMatcher').map((matcher) => ({
    label: named(matcher, 'LabelName').map(textOf)[0] ?? '',
    operator: named(matcher, 'MatchOp').map(textOf)[0] ?? '',
    value: JSON.parse(named(matcher, 'StringLiteral').map(textOf)[0] ?? '""') as string,
  }));
  return { metric, matchers };
}

function* descendants(node: Node): Generator<Node> {
  for (let child = node.firstChild; child; child = child.nextSibling) {
    yield child;
    yield* descendants(child);
  }
}
