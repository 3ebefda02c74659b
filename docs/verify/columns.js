// The columns of a row: what the worker fills and the page keeps. Shared by both.

const ROW_COLUMNS = [
  ["offset", Float64Array], ["size", Uint16Array], ["time", Float64Array], ["kind", Int32Array],
  ["verdict", Int32Array], ["target", Int32Array], ["rule", Int32Array], ["reason", Int32Array],
  ["coverage", Int32Array], ["idHigh", Uint32Array], ["idLow", Uint32Array],
];
