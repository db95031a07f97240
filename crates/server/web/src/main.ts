import { mount } from 'svelte'
import App from './App.svelte'
import './app.css'
import { begin, loadCatalogue } from './lib/state.svelte'

begin()
void loadCatalogue()
mount(App, { target: document.getElementById('app')! })
