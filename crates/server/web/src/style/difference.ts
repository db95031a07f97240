/** Two states of a feature on one map: the older is dashed, the newer a whole line, so that colour alone tells nothing. */
import type { ExpressionSpecification, FilterSpecification, LayerSpecification } from 'maplibre-gl'
import type { Colours } from './colours'

export const DIFFERENCE = 'app difference'
const source = DIFFERENCE
const WIDTH: ExpressionSpecification = ['interpolate', ['linear'], ['zoom'], 12, 2, 18, 3.4]
const CASING: ExpressionSpecification = ['interpolate', ['linear'], ['zoom'], 12, 4.5, 18, 7]

/** The later lies below: where nothing moved, its line shows through the dashes of the earlier. */
export function differenceLayers(colours: Colours): LayerSpecification[] {
  return [
    ...stateLayers('after', colours),
    ...stateLayers('before', colours),
  ]
}

function stateLayers(state: 'before' | 'after', colours: Colours): LayerSpecification[] {
  const later = state === 'after'
  const colour = later ? colours.selection : colours.measure
  const of = (kind: FilterSpecification): FilterSpecification => ['all', ['==', ['get', 'state'], state], kind] as FilterSpecification
  const area = of(['==', ['geometry-type'], 'Polygon'])
  const line = of(['!=', ['geometry-type'], 'Point'])
  const point = of(['==', ['geometry-type'], 'Point'])
  const layout = { 'line-join': 'round' as const }
  const all: LayerSpecification[] = [{ id: `${source} ${state} fill`, type: 'fill', source, filter: area, paint: { 'fill-color': colour, 'fill-opacity': 0.12 } }]
  if (later) all.push({ id: `${source} ${state} casing`, type: 'line', source, filter: line, layout, paint: { 'line-color': colours.selectionCasing, 'line-width': CASING } })
  all.push(
    { id: `${source} ${state} line`, type: 'line', source, filter: line, layout, paint: { 'line-color': colour, 'line-width': WIDTH, ...(later ? {} : { 'line-dasharray': [2.2, 1.6] }) } },
    {
      id: `${source} ${state} point`, type: 'circle', source, filter: point,
      // The later is a disc, the earlier a ring around it.
      paint: {
        'circle-radius': later ? 7 : 12, 'circle-color': colour, 'circle-opacity': later ? 0.9 : 0,
        'circle-stroke-color': later ? colours.selectionCasing : colour, 'circle-stroke-width': 2.5,
      },
    },
  )
  return all
}
