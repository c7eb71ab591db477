type Child = Node | string | undefined | false;
interface Attributes {
  class?: string;
  title?: string;
  [name: string]: string | number | undefined;
}

/** An element. What is text stays text: nothing that comes from a container is ever read as markup. */
export function h(name: string, attributes: Attributes = {}, ...children: Child[]): HTMLElement {
  const element = document.createElement(name);
  setAll(element, attributes);
  element.append(...children.filter((child): child is Node | string => Boolean(child)));
  return element;
}

export function svg(name: string, attributes: Attributes = {}, ...children: Node[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  setAll(element, attributes);
  element.append(...children);
  return element;
}

function setAll(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, String(value));
  }
}

export function byId(id: string): HTMLElement {
  return document.getElementById(id)!;
}

/** A table's head and rows. */
export function fillTable(table: HTMLElement, head: (string | [string, string])[], rows: HTMLElement[]): void {
  const cells = head.map((each) =>
    typeof each === "string" ? h("th", {}, each) : h("th", { class: each[1] }, each[0]),
  );
  table.replaceChildren(h("thead", {}, h("tr", {}, ...cells)), h("tbody", {}, ...rows));
}
